"""A contender that answers exactly and books recorded seconds instead of spending them: nothing depends on timing."""
