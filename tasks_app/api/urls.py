"""Routes below `/api/v1/`."""

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import DefaultRouter

from tasks_app.api.backfills import BackfillViewSet
from tasks_app.api.calendars import CalendarViewSet
from tasks_app.api.circuits import CircuitViewSet
from tasks_app.api.flows import FlowViewSet
from tasks_app.api.pauses import PauseViewSet
from tasks_app.api.pools import PoolViewSet
from tasks_app.api.runs import RunViewSet
from tasks_app.api.tasks import PreviewView, TaskViewSet
from tasks_app.api.tokens import PairView, RefreshView
from tasks_app.api.workers import WorkerViewSet

router = DefaultRouter(use_regex_path=True)
router.include_root_view = False
router.include_format_suffixes = False
router.register("backfills", BackfillViewSet, basename="backfill")
router.register("calendars", CalendarViewSet, basename="calendar")
router.register("flows", FlowViewSet, basename="flow")
router.register("tasks", TaskViewSet, basename="task")
router.register("pauses", PauseViewSet, basename="pause")
router.register("pools", PoolViewSet, basename="pool")
router.register("runs", RunViewSet, basename="run")
router.register("workers", WorkerViewSet, basename="worker")
router.register("circuits", CircuitViewSet, basename="circuit")


@csrf_exempt
def add_slash(request: HttpRequest) -> HttpResponsePermanentRedirect:
    """Forgotten slash: 308 keeps method and body, where Django's own 301 makes a GET of a POST."""
    return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True), preserve_request=True)


signed_in = {"permission_classes": [IsAuthenticated]}
urlpatterns = [
    path("auth/token/", PairView.as_view(), name="token"),
    path("auth/token/refresh/", RefreshView.as_view(), name="token-refresh"),
    path("schedules/preview/", PreviewView.as_view(), name="schedule-preview"),
    path("schema/", SpectacularAPIView.as_view(**signed_in), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema", **signed_in), name="docs"),
    path("", include(router.urls)),
    re_path(r".*[^/]$", add_slash),
]
