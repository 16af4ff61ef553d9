package dev.sparkmla.text.jinja;

import java.util.concurrent.CancellationException;

/**
 * Limits what one rendering may use: steps, characters and list items that it makes, and depth of
 * nesting. A template comes with a model and may contain anything; without limits, three lines can
 * occupy a thread for years or fill the heap. Published templates stay far below the limits: none
 * goes deeper than 30 levels, and a conversation that fills a model's context window has a few
 * million characters. Methods throw {@link TemplateException} when a limit is exceeded. For one
 * thread.
 */
final class Budget {
  /**
   * How many expressions and loop iterations are evaluated at most, which takes a second or two.
   */
  static final long MOST_STEPS = 50_000_000;

  /** How many characters are made at most, those of intermediate values included. */
  static final long MOST_CHARACTERS = 64L << 20;

  /**
   * How deep expressions, blocks, macro calls and values may be nested; a thread's stack has room
   * for it.
   */
  static final int DEEPEST = 200;

  /**
   * How many characters a list item counts as, beside its own text: about the memory that it takes.
   */
  private static final long CHARACTERS_OF_ITEM = 16;

  /** How many characters are read, compared or copied in the time of one step. */
  private static final long CHARACTERS_OF_STEP = 32;

  private static final long STEPS_BETWEEN_CHECKS = 1 << 12;

  private long steps;
  private long checked;
  private long characters;
  private int depth;

  /**
   * Counts steps.
   *
   * @throws CancellationException when the thread is interrupted; its interrupt flag stays set
   */
  void steps(long count) {
    steps += count;
    if (steps > MOST_STEPS) {
      throw TemplateException.fault("takes more than " + MOST_STEPS + " steps");
    }
    if (steps - checked >= STEPS_BETWEEN_CHECKS) {
      checked = steps;
      if (Thread.currentThread().isInterrupted()) {
        throw new CancellationException("rendering a chat template was interrupted");
      }
    }
  }

  /** Counts the reading of so many characters as steps. */
  void reads(long length) {
    steps(length / CHARACTERS_OF_STEP);
  }

  /** Counts characters that are about to be made. */
  void makes(long length) {
    characters += Math.min(length, MOST_CHARACTERS + 1);
    if (characters > MOST_CHARACTERS) {
      throw TemplateException.fault(
          "makes more than " + MOST_CHARACTERS + " characters of texts and lists");
    }
  }

  /** Counts items of a list that is about to be made. */
  void makesItems(long count) {
    makes(Math.min(count, MOST_CHARACTERS) * CHARACTERS_OF_ITEM);
  }

  /**
   * Counts a step and enters a level of nesting. {@link #leave} leaves it; after an exception the
   * budget is not used again.
   */
  void enter() {
    steps(1);
    if (++depth > DEEPEST) {
      throw TemplateException.fault("goes deeper than " + DEEPEST + " levels");
    }
  }

  void leave() {
    depth--;
  }
}
