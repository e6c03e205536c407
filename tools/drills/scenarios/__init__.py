"""What the drills play, by the thing that fails."""
