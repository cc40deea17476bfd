"""Files in, pages of text with positions out. Every file is read in a child process with limits."""
