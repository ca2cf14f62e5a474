"""The three state machines as raw ASL, their one loader (`definitions`) and their lint (`lint`). See README.md."""
