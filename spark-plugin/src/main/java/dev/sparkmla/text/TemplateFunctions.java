package dev.sparkmla.text;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Map;

/** Functions that transformers gives to chat templates. Public for the template engine alone. */
public final class TemplateFunctions {
  private static final Map<Character, String> DATE_PATTERNS =
      Map.ofEntries(
          Map.entry('Y', "yyyy"),
          Map.entry('y', "yy"),
          Map.entry('m', "MM"),
          Map.entry('d', "dd"),
          Map.entry('B', "MMMM"),
          Map.entry('b', "MMM"),
          Map.entry('A', "EEEE"),
          Map.entry('a', "EEE"),
          Map.entry('H', "HH"),
          Map.entry('I', "hh"),
          Map.entry('M', "mm"),
          Map.entry('S', "ss"),
          Map.entry('p', "a"),
          Map.entry('j', "DDD"));

  private TemplateFunctions() {}

  /** {@code raise_exception(message)}: the template refuses the conversation. */
  public static Object raise(String message) {
    throw new RaisedException(message);
  }

  /** {@code strftime_now(format)}: the time of rendering by Python's format letters. */
  public static String now(String format) {
    return format(LocalDateTime.now(java.time.ZoneId.systemDefault()), format);
  }

  static String format(LocalDateTime time, String format) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char letter = format.charAt(i);
      if (letter != '%' || i + 1 == format.length()) {
        text.append(letter);
        continue;
      }
      letter = format.charAt(++i);
      String pattern = DATE_PATTERNS.get(letter);
      if (pattern != null) {
        text.append(DateTimeFormatter.ofPattern(pattern, java.util.Locale.ENGLISH).format(time));
      } else if (letter == '%') {
        text.append('%');
      } else {
        throw new RaisedException("strftime_now does not know %" + letter);
      }
    }
    return text.toString();
  }

  /** What {@code raise_exception} throws. */
  static final class RaisedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RaisedException(String message) {
      super(message);
    }
  }
}
