"""The isolated copies that drills make, check and delete, per technology. Production is only read."""
