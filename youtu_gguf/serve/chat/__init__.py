"""What the chat protocols share: from messages to a conversation, and from its answer to what each of them says."""
