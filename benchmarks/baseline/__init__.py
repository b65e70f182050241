"""What one would build today: Celery, django-celery-beat and django-celery-results on PostgreSQL."""
