"""What visitors of an app do: from screen to screen, with pauses; and how well such a model fits what they did."""
