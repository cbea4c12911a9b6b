"""Ways to reach a member outside of the app: APNs, FCM and SMTP behind one interface."""
