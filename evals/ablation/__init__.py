"""What each technique is worth: alone, taken away, and all together."""
