"""Where services answer each other. The gateway leads nobody there."""

PROFILES = "/internal/profiles"
ENDED = "/internal/sessions/ended"
MEMBERS_OF = "/internal/members"
ADDRESS = "/internal/address"
AUDIENCE = "/internal/audience"
PICTURE = "/internal/picture"
SOCKET_EVENTS = "/internal/sockets"
