"""One request again and again, on the event loop itself: a greenlet's turn for each would cost more than sending it."""
