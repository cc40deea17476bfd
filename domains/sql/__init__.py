"""Questions to databases: the schema, the prompt, SQL out of a reply, its guard, its execution, and what it is worth.

So far the parts that measuring needs; the domain itself is not registered yet.
"""
