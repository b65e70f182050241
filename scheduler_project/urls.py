"""All addresses of the web service."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from scheduler_project import health

admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("tasks_app.api.urls")),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", health.metrics),
]

handler400 = "tasks_app.api.errors.bad_request"
handler404 = "tasks_app.api.errors.not_found"
handler500 = "tasks_app.api.errors.server_error"
