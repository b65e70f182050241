"""The admin page of pools."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from tasks_app import pool_actions
from tasks_app.admin import show
from tasks_app.admin.base import Admin
from tasks_app.clock import database_now
from tasks_app.models import Pool, TaskRun


@admin.register(Pool)
class PoolAdmin(Admin):
    """Things that there are only so many of."""

    empty_hint = "A pool is something that runs share: connections of a database, licences, a machine. Tasks name it."
    list_display = ["name", "namespace", "slots", "taken", "users", "description"]
    list_filter = ["namespace"]
    list_select_related = ["namespace"]
    search_fields = ["name", "description"]
    readonly_fields = ["taken", "users", "waiting", "created"]
    fieldsets: Any = [("Pool", {"fields": [("name", "namespace"), "slots", "description"]})]
    created = show.moment_fact("created_at", "Created")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A stored pool also shows what has been taken of it."""
        follows = ("What follows", {"fields": [("taken", "users"), "waiting", "created"]})
        return [*self.fieldsets, follows] if obj else self.fieldsets

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pool]:
        pools: Any = super().get_queryset(request)
        return pools.counted()

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        pool_actions.save(obj, database_now())

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        pool_actions.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Pool]) -> None:
        for pool in queryset:
            pool_actions.delete(pool)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation page lists; tasks that use a pool keep it from being deleted."""
        pools = list(objs)
        using = {f"Task: {task}" for pool in pools for task in pool.users()[:20]}
        return [str(pool) for pool in pools], {"pools": len(pools)}, set(), sorted(using)

    @display(description="Taken", ordering="taken")
    def taken(self, pool: Any) -> str:
        return f"{pool.taken} of {pool.slots}"

    @display(description="Tasks")
    def users(self, pool: Pool) -> str:
        return show.counted(pool.users().count(), "task")

    @display(description="Waiting")
    def waiting(self, pool: Pool) -> str:
        runs = TaskRun.objects.filter(status="pending", gate=pool.key).exclude(gate="")
        return show.counted(runs.count(), "run")
