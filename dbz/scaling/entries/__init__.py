"""What a phase needs beside tasks and cache nodes (database, CDN, queues, search): looked up, and named as open."""
