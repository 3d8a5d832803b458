"""Sound and pictures of files: which part of which file, by its clock."""
