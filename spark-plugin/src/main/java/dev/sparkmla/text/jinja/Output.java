package dev.sparkmla.text.jinja;

/** Text that a rendering writes, within its budget. For one thread. */
final class Output {
  private final StringBuilder text = new StringBuilder();
  private final Budget budget;

  Output(Budget budget) {
    this.budget = budget;
  }

  Output append(String part) {
    return append(part, 0, part.length());
  }

  /** Appends the part of a text from {@code begin}, inclusive, to {@code end}, exclusive. */
  Output append(String whole, int begin, int end) {
    budget.makes(end - begin);
    text.append(whole, begin, end);
    return this;
  }

  Output append(char letter) {
    budget.makes(1);
    text.append(letter);
    return this;
  }

  /** Appends a text several times, or not at all where {@code times} is below 1. */
  Output repeat(String part, long times) {
    if (times > 0 && !part.isEmpty()) {
      budget.makes(times > Budget.MOST_CHARACTERS ? times : times * part.length());
      text.append(part.repeat((int) times));
    }
    return this;
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
