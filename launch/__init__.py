"""Launch mains: one thin absl program per job (`python -m launch.JOB --help`)."""
