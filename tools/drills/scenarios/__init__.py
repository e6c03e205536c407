"""The scenarios of the drills, by the failing part."""
