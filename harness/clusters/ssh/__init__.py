"""Remote Linux hosts, reached by SSH."""
