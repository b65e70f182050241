"""Cursor paging: steady while rows are added, and as fast on the last page as on the first."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    page_size_query_description = "Results per page; more than 500 are 500."
    cursor_query_description = "Follow the links `next` and `previous` instead of making one up."

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        self._key = queryset.model._meta.pk
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Any) -> Any:
        try:
            cursor = super().decode_cursor(request)
            if cursor and cursor.position is not None:
                self._key.run_validators(self._key.to_python(cursor.position))
        except (NotFound, DjangoValidationError):
            raise ValidationError({"cursor": ["Use the links `next` and `previous` of a page as they are."]}) from None
        return cursor

    def get_page_size(self, request: Any) -> int | None:
        value = request.query_params.get(self.page_size_query_param)
        if value is not None and not _is_positive(value):
            raise ValidationError({"page_size": ["This must be a whole number from 1 to 500."]})
        return super().get_page_size(request)


def _is_positive(value: str) -> bool:
    try:
        return int(value) > 0
    except ValueError:
        return False
