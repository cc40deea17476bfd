"""Domain plugins. Built-in ones come by the same entry points as a stranger's."""
