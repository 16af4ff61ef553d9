package dev.sparkmla.jobs.input;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;

/** The members of a JSON object whose keys are no columns. Not thread-safe. */
final class OtherMembers {
  private final StringBuilder members = new StringBuilder();
  private final Set<String> keys = new HashSet<>();
  private byte[] text;

  /**
   * Begins an object.
   *
   * @param text what its parser reads
   */
  void begin(byte[] text) {
    this.text = text;
    members.setLength(0);
    keys.clear();
  }

  /**
   * Takes a member as it is written.
   *
   * @param parser at its key; is left at the last token of its value
   * @return whether it is the first of its key
   */
  boolean add(JsonParser parser) throws IOException {
    String key = parser.currentName();
    int start = Math.toIntExact(parser.currentTokenLocation().getByteOffset());
    parser.nextToken();
    parser.skipChildren();
    parser.finishToken();
    int end = Math.toIntExact(parser.currentLocation().getByteOffset());
    members
        .append(members.isEmpty() ? "" : ", ")
        .append(new String(text, start, end - start, StandardCharsets.UTF_8));
    return keys.add(key.toLowerCase(Locale.ROOT));
  }

  boolean isEmpty() {
    return keys.isEmpty();
  }

  /** A JSON object of them. */
  @Override
  public String toString() {
    return "{" + members + "}";
  }
}
