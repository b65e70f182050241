"""Who may call what: Django's model permissions, for reading too."""

from rest_framework.permissions import DjangoModelPermissions


class ModelPermissions(DjangoModelPermissions):
    """Needs a signed-in user with the model's add, change, delete or view permission.

    A view may name other needs per action in `action_perms`, such as {"run": "tasks_app.add_taskrun"}.
    """

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
    }

    def has_permission(self, request, view):  # type: ignore[no-untyped-def]
        if not (request.user and request.user.is_authenticated):
            return False
        own = getattr(view, "action_perms", {}).get(getattr(view, "action", None))
        needed = [own] if own else self.get_required_permissions(request.method, self._queryset(view).model)
        self.message = f"Your account lacks the permission {' and '.join(needed)}. Ask an administrator for it."
        return request.user.has_perms(needed)
