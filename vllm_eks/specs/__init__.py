"""The stack's requests, part by part: types that the settings pass to the checks and components."""
