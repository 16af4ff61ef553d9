package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;

/** The methods of Python's str that templates call. Indices in a text count code points. */
final class TextMethods {
  private TextMethods() {}

  /** The method of a name of a text; null if there is none. */
  static Callable find(String text, String name) {
    Callable method = named(text, name);
    return method == null
        ? null
        : arguments -> {
          arguments.budget().reads(text.length());
          Object result = method.call(arguments);
          if (result instanceof String made && made != text) {
            arguments.budget().makes(made.length());
          }
          return result;
        };
  }

  private static Callable named(String text, String name) {
    return switch (name) {
      case "startswith" ->
          arguments -> {
            Arguments bound = arguments.bind(1, "prefix", "start", "end");
            String part = part(text, bound, 1);
            return any(bound).stream().anyMatch(part::startsWith);
          };
      case "endswith" ->
          arguments -> {
            Arguments bound = arguments.bind(1, "suffix", "start", "end");
            String part = part(text, bound, 1);
            return any(bound).stream().anyMatch(part::endsWith);
          };
      case "strip" -> arguments -> strip(text, arguments.bind(0, "chars"), true, true);
      case "lstrip" -> arguments -> strip(text, arguments.bind(0, "chars"), true, false);
      case "rstrip" -> arguments -> strip(text, arguments.bind(0, "chars"), false, true);
      case "upper" -> plain(arguments -> text.toUpperCase(Locale.ROOT));
      case "lower" -> plain(arguments -> text.toLowerCase(Locale.ROOT));
      case "casefold" -> plain(arguments -> text.toLowerCase(Locale.ROOT));
      case "capitalize" -> plain(arguments -> capitalized(text));
      case "title" -> plain(arguments -> titled(text));
      case "replace" -> arguments -> replace(text, arguments.bind(2, "old", "new", "count"));
      case "split" -> arguments -> split(text, arguments.bind(0, "sep", "maxsplit"));
      case "rsplit" -> arguments -> splitFromEnd(text, arguments.bind(0, "sep", "maxsplit"));
      case "partition" -> arguments -> partition(text, arguments.bind(1, "sep"), true);
      case "rpartition" -> arguments -> partition(text, arguments.bind(1, "sep"), false);
      case "splitlines" ->
          arguments -> {
            Arguments bound = arguments.bind(0, "keepends");
            return lines(text, bound.flag(0, false), bound.budget());
          };
      case "join" -> arguments -> join(text, arguments.bind(1, "items").get(0), arguments.budget());
      case "find" -> arguments -> find(text, arguments.bind(1, "sub", "start", "end"));
      case "rfind" ->
          arguments -> {
            Arguments bound = arguments.bind(1, "sub");
            int at = Search.lastIndexOf(text, bound.text(0), text.length(), bound.budget());
            return at < 0 ? -1L : (long) text.codePointCount(0, at);
          };
      case "index" ->
          arguments -> {
            long at = find(text, arguments.bind(1, "sub", "start", "end"));
            if (at < 0) {
              throw TemplateException.fault("the text does not hold what index looks for");
            }
            return at;
          };
      case "count" -> arguments -> count(text, arguments.bind(1, "sub"));
      case "format" -> arguments -> Formats.fields(text, arguments);
      case "isdigit", "isnumeric", "isdecimal" -> plain(is(text, Character::isDigit));
      case "isalpha" -> plain(is(text, Character::isLetter));
      case "isalnum" -> plain(is(text, Character::isLetterOrDigit));
      case "isspace" -> plain(is(text, TextMethods::isSpace));
      case "isupper" ->
          plain(arguments -> text.equals(text.toUpperCase(Locale.ROOT)) && hasCase(text));
      case "islower" ->
          plain(arguments -> text.equals(text.toLowerCase(Locale.ROOT)) && hasCase(text));
      case "removeprefix" ->
          arguments -> {
            String prefix = arguments.bind(1, "prefix").text(0);
            return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
          };
      case "removesuffix" ->
          arguments -> {
            String suffix = arguments.bind(1, "suffix").text(0);
            return text.endsWith(suffix)
                ? text.substring(0, text.length() - suffix.length())
                : text;
          };
      default -> null;
    };
  }

  /** A method without parameters. */
  private static Callable plain(Callable method) {
    return arguments -> method.call(arguments.bind(0));
  }

  private static Callable is(String text, IntPredicate kind) {
    return arguments -> !text.isEmpty() && text.codePoints().allMatch(kind);
  }

  static boolean hasCase(String text) {
    return text.codePoints()
        .anyMatch(point -> Character.isUpperCase(point) || Character.isLowerCase(point));
  }

  /** The text between the two indices that the arguments from {@code index} on may give. */
  private static String part(String text, Arguments bound, int index) {
    if (!bound.isGiven(index)) {
      return text;
    }
    Object end = bound.get(index + 1, null);
    return (String) Values.slice(text, bound.get(index), end, null, bound.budget());
  }

  /** The first argument: one string, or those of a tuple. */
  private static List<String> any(Arguments bound) {
    if (!(bound.get(0) instanceof Tuple several)) {
      return List.of(bound.text(0));
    }
    List<String> texts = new ArrayList<>();
    for (Object one : several) {
      if (!(one instanceof String text)) {
        throw TemplateException.fault("a tuple holds something other than texts");
      }
      texts.add(text);
    }
    return texts;
  }

  static String join(String separator, Object items, Budget budget) {
    Output joined = new Output(budget);
    boolean first = true;
    for (Object item : Values.items(items, budget)) {
      budget.steps(1);
      joined.append(first ? "" : separator).append(Values.text(item, budget));
      first = false;
    }
    return joined.toString();
  }

  private static String replace(String text, Arguments bound) {
    return replace(text, bound.text(0), bound.text(1), bound.integer(2, -1), bound.budget());
  }

  /** Replaces a string at most {@code most} times, or everywhere if that is negative. */
  static String replace(String text, String old, String with, long most, Budget budget) {
    Output replaced = new Output(budget);
    int copied = 0;
    int at = old.isEmpty() ? 0 : Search.indexOf(text, old, 0, budget);
    for (long times = 0; at >= 0 && at <= text.length() && times != most; times++) {
      budget.steps(1);
      replaced.append(text, copied, at).append(with);
      copied = at + old.length();
      if (old.isEmpty()) {
        at = at == text.length() ? -1 : text.offsetByCodePoints(at, 1);
      } else {
        at = Search.indexOf(text, old, copied, budget);
      }
    }
    return copied == 0 && at < 0 && !old.isEmpty()
        ? text
        : replaced.append(text, copied, text.length()).toString();
  }

  private static List<Object> split(String text, Arguments bound) {
    long most = bound.integer(1, -1);
    if (bound.get(0, null) == null) {
      return splitAtSpaces(text, most, bound.budget());
    }
    String separator = separator(bound);
    List<Object> parts = new ArrayList<>();
    int begin = 0;
    int at = Search.indexOf(text, separator, 0, bound.budget());
    while (at >= 0 && (most < 0 || parts.size() < most)) {
      add(parts, text.substring(begin, at), bound.budget());
      begin = at + separator.length();
      at = Search.indexOf(text, separator, begin, bound.budget());
    }
    add(parts, text.substring(begin), bound.budget());
    return parts;
  }

  private static String separator(Arguments bound) {
    if (bound.text(0).isEmpty()) {
      throw TemplateException.fault("a text is split by an empty one");
    }
    return bound.text(0);
  }

  private static void add(List<Object> parts, String part, Budget budget) {
    budget.makesItems(1);
    budget.makes(part.length());
    parts.add(part);
  }

  private static List<Object> splitAtSpaces(String text, long most, Budget budget) {
    List<Object> parts = new ArrayList<>();
    int at = 0;
    while (true) {
      at = skip(text, at, true);
      if (at == text.length()) {
        return parts;
      }
      boolean rest = most >= 0 && parts.size() >= most;
      int end = rest ? text.length() : skip(text, at, false);
      add(parts, text.substring(at, end), budget);
      at = end;
    }
  }

  /** The end of a run of white space, or of other characters. */
  private static int skip(String text, int begin, boolean space) {
    int at = begin;
    while (at < text.length() && isSpace(text.codePointAt(at)) == space) {
      at += Character.charCount(text.codePointAt(at));
    }
    return at;
  }

  private static List<Object> splitFromEnd(String text, Arguments bound) {
    long most = bound.integer(1, -1);
    if (most < 0) {
      return split(text, bound);
    }
    String separator = separator(bound);
    List<Object> parts = new ArrayList<>();
    int end = text.length();
    int at = Search.lastIndexOf(text, separator, end, bound.budget());
    while (at >= 0 && parts.size() < most) {
      add(parts, text.substring(at + separator.length(), end), bound.budget());
      end = at;
      at = Search.lastIndexOf(text, separator, end, bound.budget());
    }
    add(parts, text.substring(0, end), bound.budget());
    Collections.reverse(parts);
    return parts;
  }

  private static Object partition(String text, Arguments bound, boolean first) {
    String separator = separator(bound);
    int at =
        first
            ? Search.indexOf(text, separator, 0, bound.budget())
            : Search.lastIndexOf(text, separator, text.length(), bound.budget());
    if (at < 0) {
      return new Tuple(first ? List.of(text, "", "") : List.of("", "", text));
    }
    return new Tuple(
        List.of(text.substring(0, at), separator, text.substring(at + separator.length())));
  }

  private static long find(String text, Arguments bound) {
    long start = bound.integer(1, 0);
    String part = part(text, bound, 1);
    int at = Search.indexOf(part, bound.text(0), 0, bound.budget());
    if (at < 0) {
      return -1;
    }
    long size = text.codePointCount(0, text.length());
    return part.codePointCount(0, at) + (start < 0 ? Math.max(0, start + size) : start);
  }

  private static long count(String text, Arguments bound) {
    String counted = bound.text(0);
    if (counted.isEmpty()) {
      return text.codePointCount(0, text.length()) + 1L;
    }
    long count = 0;
    int at = Search.indexOf(text, counted, 0, bound.budget());
    while (at >= 0) {
      bound.budget().steps(1);
      count++;
      at = Search.indexOf(text, counted, at + counted.length(), bound.budget());
    }
    return count;
  }

  /** The lines of a text, split where Python's splitlines splits them. */
  static List<Object> lines(String text, boolean keepEnds, Budget budget) {
    List<Object> lines = new ArrayList<>();
    int begin = 0;
    for (int at = 0; at < text.length(); at++) {
      if (!isLineBreak(text.charAt(at))) {
        continue;
      }
      int end = at;
      if (text.startsWith("\r\n", at)) {
        at++;
      }
      add(lines, text.substring(begin, keepEnds ? at + 1 : end), budget);
      begin = at + 1;
    }
    if (begin < text.length()) {
      add(lines, text.substring(begin), budget);
    }
    return lines;
  }

  private static boolean isLineBreak(char letter) {
    return (letter >= '\n' && letter <= '\r')
        || (letter >= 0x1C && letter <= 0x1E)
        || letter == 0x85
        || letter == 0x2028
        || letter == 0x2029;
  }

  /** Strips white space, or the characters that the bound argument has. */
  static String strip(String text, Arguments bound, boolean left, boolean right) {
    IntPredicate stripped =
        bound.get(0, null) == null
            ? TextMethods::isSpace
            : point -> {
              bound.budget().reads(bound.text(0).length());
              return bound.text(0).indexOf(point) >= 0;
            };
    int begin = 0;
    int end = text.length();
    while (left && begin < end && stripped.test(text.codePointAt(begin))) {
      begin += Character.charCount(text.codePointAt(begin));
    }
    while (right && begin < end && stripped.test(text.codePointBefore(end))) {
      end -= Character.charCount(text.codePointBefore(end));
    }
    return text.substring(begin, end);
  }

  /** Whether Python's str.isspace holds, as it does for no-break spaces too. */
  static boolean isSpace(int point) {
    return Character.isWhitespace(point) || Character.isSpaceChar(point) || point == 0x85;
  }

  static String capitalized(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = Character.charCount(text.codePointAt(0));
    return text.substring(0, first).toUpperCase(Locale.ROOT)
        + text.substring(first).toLowerCase(Locale.ROOT);
  }

  private static String titled(String text) {
    StringBuilder titled = new StringBuilder(text.length());
    boolean inside = false;
    for (int at = 0; at < text.length(); at += Character.charCount(text.codePointAt(at))) {
      int point = text.codePointAt(at);
      titled.appendCodePoint(inside ? Character.toLowerCase(point) : Character.toTitleCase(point));
      inside = Character.isLetter(point);
    }
    return titled.toString();
  }
}
