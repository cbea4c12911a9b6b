"""Notification: messages to members about what happened, stored and delivered."""

from dbz.server.notification.service import NotificationService

__all__ = ["NotificationService"]
