package dev.sparkmla.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.regex.Pattern;

/** Says what Jackson found wrong with a text. */
public final class JsonProblem {
  /** A place in the text, before which Jackson says what it was configured to say of its source. */
  private static final Pattern PLACE = Pattern.compile("\\[Source: [^;\\]]*; ([^\\]]*)]");

  private JsonProblem() {}

  /** What is wrong, without the place where it was noticed. */
  public static String of(JsonProcessingException problem) {
    return PLACE.matcher(problem.getOriginalMessage()).replaceAll("$1");
  }
}
