"""What views share whose rows people edit."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.parsing import JSONBody


class LockingViewSet(JSONBody, viewsets.ModelViewSet[Any]):
    """What is about to be changed is locked, so that no change made at the same time is overwritten."""

    changing: tuple[str, ...] = ()
    """Further actions, in a transaction of their own, that change the row."""

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        changing = self.action in ("update", "partial_update", "destroy", *self.changing)
        return rows.select_for_update(of=("self",)) if changing else rows

    @transaction.atomic
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)
