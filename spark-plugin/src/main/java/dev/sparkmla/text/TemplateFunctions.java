package dev.sparkmla.text;

import dev.sparkmla.text.jinja.Arguments;
import dev.sparkmla.text.jinja.TemplateException;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;

/** The functions that the transformers library provides to chat templates. */
final class TemplateFunctions {
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

  /** {@code raise_exception(message)}, by which a template refuses a conversation. */
  static Object raise(Arguments arguments) {
    throw TemplateException.raised(String.valueOf(arguments.bind(1, "message").get(0)));
  }

  /** {@code strftime_now(format)}: the current time, formatted as Python's strftime does. */
  static Object now(Arguments arguments) {
    String format = String.valueOf(arguments.bind(1, "format").get(0));
    return format(LocalDateTime.now(ZoneId.systemDefault()), format);
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
        text.append(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time));
      } else if (letter == '%') {
        text.append('%');
      } else {
        throw TemplateException.raised("strftime_now does not know %" + letter);
      }
    }
    return text.toString();
  }
}
