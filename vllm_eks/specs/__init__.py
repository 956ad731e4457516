"""What a stack asks for, part by part: the types that its settings hand to the checks and to the components."""
