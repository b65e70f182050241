"""What several admin classes share: read-only pages, actions that ask first, filters by a linked row."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm


class Admin(ModelAdmin):
    """Our defaults for all models."""

    list_before_template = "tasks_app/admin/empty_hint.html"
    empty_hint = ""
    """One sentence for a list that has no rows yet."""
    list_per_page = 50
    empty_value_display = "–"

    def allows(self, request: HttpRequest, permission: str) -> bool:
        """True if the user has `permission`, such as "add_taskrun", on a model of this app."""
        return request.user.has_perm(f"{self.opts.app_label}.{permission}")

    def page_of(self, thing: Model) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[thing.pk])

    def gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The answer to an action on a row that does not exist (any more)."""
        answer = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return finish(request, answer.url)


class ReadOnlyAdmin(Admin):
    """Rows that only the engine writes."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Everything: also what is no field of the model."""
        return named(self.fieldsets)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def named(fieldsets: Any) -> list[str]:
    """All that fieldsets show."""
    rows = [row for _, options in fieldsets or () for row in options["fields"]]
    return [name for row in rows for name in ([row] if isinstance(row, str) else row)]


def ask(title: str, description: str, button: str, form: type[BaseDialogForm] = BaseDialogForm) -> ActionDialog:
    """The dialog of a detail action.

    Every one has it: unfold's plain detail actions change things by GET, which any foreign page could make
    a signed-in browser do. A dialog is answered by POST, with a CSRF token.
    """
    return {"title": title, "description": description, "form_class": form, "form_submit_text": button}


def finish(request: HttpRequest, address: str) -> HttpResponse:
    """Go to `address` after a dialog, which htmx posts: a plain redirect would be loaded into the dialog."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


class LinkedFilter(admin.SimpleListFilter):
    """Shows, and lets one remove, a filter that only links set (`?task=7`): listing all rows would be too long."""

    model: type[Model]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        key = self._key(request.GET.get(self.parameter_name or "", ""))
        found = self.model._default_manager.filter(pk=key).first() if key is not None else None
        return [(str(key), str(found))] if found else []

    def _key(self, value: str | None) -> Any:
        """None where it cannot be one."""
        try:
            return self.model._meta.pk.to_python(value) if value else None
        except ValidationError:
            return None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        key = self._key(self.value())
        return queryset.filter(**{f"{self.parameter_name}_id": key}) if key is not None else queryset
