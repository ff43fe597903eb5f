"""Settings chosen from judged questions, with a figure that the choice has not seen."""
