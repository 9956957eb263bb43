"""What happens after the commit: subscribers, the work loop, notifications, relay and consume.

Nothing is imported here, so that who needs one part does not load the others.
"""
