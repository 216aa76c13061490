"""What does the work: the Celery application, its tasks and the commands that feed it."""
