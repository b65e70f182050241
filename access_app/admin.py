"""The admin pages of namespaces, API keys, users and groups."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access_app.models import ApiKey, Namespace
from tasks_app.admin import show
from tasks_app.admin.base import Admin, ask, finish
from tasks_app.clock import database_now
from tasks_app.models import Task

KEY_COLOURS = {"valid": "success", "expired": "warning", "revoked": "danger"}

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(BaseUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """People, in unfold's look."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ModelAdmin):
    """Groups, in unfold's look."""


@admin.register(Namespace)
class NamespaceAdmin(Admin):
    """Rooms of teams."""

    empty_hint = "A namespace keeps one team's tasks apart from another's. Add one for each team."
    list_display = ["name", "description", "tasks", "max_pending", "max_triggers_per_minute", "weight", "created"]
    search_fields = ["name", "description"]
    readonly_fields = ["tasks", "created_fact"]
    created = show.moment_column("created_at", "Created")
    created_fact = show.moment_fact("created_at", "Created")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        limits = ["max_pending", "max_triggers_per_minute", "weight"]
        return ["name", "description", *limits, *(["tasks", "created_fact"] if obj else [])]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Namespace]:
        rooms: QuerySet[Namespace] = super().get_queryset(request)
        return rooms.annotate(task_count=Count("tasks", filter=Q(tasks__deleted_at=None)))

    @display(description="Tasks", ordering="task_count")
    def tasks(self, room: Any) -> str:
        return show.listing(Task, show.counted(room.task_count, "task"), namespace__id__exact=room.pk)


@admin.register(ApiKey)
class ApiKeyAdmin(Admin):
    """Keys of programs. Only a key's digest is kept, and it is never shown."""

    empty_hint = "A program signs in with an API key of its own. Add one; it is shown to you once."
    list_display = ["name", "owner", "start", "state", "created", "expires"]
    list_filter = ["owner"]
    list_select_related = ["owner"]
    search_fields = ["name", "prefix", "owner__username"]
    actions = ["revoke_selected"]
    actions_detail = ["revoke"]
    created = show.moment_column("created_at", "Created")
    expires = show.moment_column("expires_at", "Expires")
    created_fact = show.moment_fact("created_at", "Created")
    revoked_fact = show.moment_fact("revoked_at", "Revoked")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [
            "name",
            "owner",
            "expires_at",
            *(["start", "state_fact", "created_fact", "revoked_fact"] if obj else []),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A key's owner never changes: it would give another user's rights to whoever holds the key."""
        return ["start", "state_fact", "created_fact", "revoked_fact", *(["owner"] if obj else [])]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk, **super().get_changeform_initial_data(request)}

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only an administrator may make a key for somebody else: its maker could act as that user."""
        if db_field.name == "owner" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        text = "" if change else obj.issue()
        super().save_model(request, obj, form, change)
        if text:
            said = "Copy this key now, it is not shown again: <code class='secret'>{}</code>"
            self.message_user(request, format_html(said, text), messages.WARNING)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change_apikey")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = self.get_object(request, str(object_id))
        return super().get_actions_detail(request, object_id) if key and key.revoked_at is None else []

    @action(
        description="Revoke",
        icon="key_off",
        permissions=["revoke"],
        variant=ActionVariant.DANGER,
        dialog=ask("Revoke this key?", "Programs that use it are locked out at once, for good.", "Revoke"),
    )
    def revoke(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        key = self.get_object(request, object_id)
        if key is None:
            return self.gone(request, object_id)
        self._revoke(request, ApiKey.objects.filter(pk=key.pk))
        return finish(request, self.page_of(key))

    @action(description="Revoke", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self._revoke(request, queryset)

    def _revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        valid = list(keys.filter(revoked_at=None))
        done = ApiKey.objects.filter(pk__in=[key.pk for key in valid], revoked_at=None).update(
            revoked_at=database_now()
        )
        for key in valid:
            self.log_change(request, key, "Revoked.")
        self.message_user(
            request, f"{show.counted(done, 'key')} revoked.", messages.SUCCESS if done else messages.WARNING
        )

    @display(description="Begins with", ordering="prefix")
    def start(self, key: ApiKey) -> str:
        return format_html('<span class="mono">{}…</span>', key.prefix)

    @display(description="Status", label=KEY_COLOURS)
    def state(self, key: ApiKey) -> str:
        return self._state(key)

    @display(description="Status")
    def state_fact(self, key: ApiKey) -> str:
        return show.label(self._state(key), KEY_COLOURS)

    def _state(self, key: Any) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.is_expired else "valid"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """Keys that know whether they have expired, by the database's clock."""
        keys: QuerySet[ApiKey] = super().get_queryset(request)
        return keys.annotate(is_expired=Q(expires_at__isnull=False, expires_at__lte=database_now()))
