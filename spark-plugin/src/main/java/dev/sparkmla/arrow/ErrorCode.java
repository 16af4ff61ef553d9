package dev.sparkmla.arrow;

/** The kinds of errors that end one row and leave the others alone. */
public enum ErrorCode {
  /** The prompt holds no text. */
  EMPTY_PROMPT,
  /** The prompt and its new tokens do not fit into the context window or the cache. */
  PROMPT_TOO_LONG,
  /** A parameter is unknown or out of its range. */
  INVALID_PARAMETER,
  /** The conversation is one the chat template refuses, or the model has no chat template. */
  INVALID_PROMPT,
  /** The model's logits for the row's next token held NaN or positive infinity. */
  NUMERICAL_ERROR,
  /** The row cannot be computed, not even alone: memory ran out, for one. */
  COMPUTE_ERROR
}
