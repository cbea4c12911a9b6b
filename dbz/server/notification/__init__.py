"""Notification: messages to members about what happened, stored and delivered."""

from dbz.server.notification.service import NotificationService, open_queue

__all__ = ["NotificationService", "open_queue"]
