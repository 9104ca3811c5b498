"""HTTP as every route has it: models, errors, the one road from bytes to a handler and back."""
