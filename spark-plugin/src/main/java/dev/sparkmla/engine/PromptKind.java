package dev.sparkmla.engine;

/** What a prompt is, and so what it ends with. */
enum PromptKind {
  /** A text as it stands, to be continued. */
  TEXT,
  /** Messages in the chat template, after which a message of the assistant begins. */
  CONVERSATION,
  /** Messages in the chat template, the last of which the answer continues. */
  CONTINUED_MESSAGE
}
