"""`make run`: both services and an embedded store on the developer's machine."""
