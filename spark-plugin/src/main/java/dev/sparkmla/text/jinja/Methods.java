package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;

/** The methods of Python's values that templates call. None changes its value. */
final class Methods {
  private Methods() {}

  /** A method of a value's, or null. */
  static Callable find(Object owner, String name) {
    if (owner instanceof String text) {
      return ofText(text, name);
    } else if (owner instanceof Map<?, ?> map) {
      return ofMap(map, name);
    } else if (owner instanceof List<?> list) {
      return ofList(list, name);
    }
    return null;
  }

  private static Callable ofMap(Map<?, ?> map, String name) {
    return switch (name) {
      case "items" -> (given, named) -> pairs(map);
      case "keys" -> (given, named) -> new ArrayList<Object>(map.keySet());
      case "values" -> (given, named) -> new ArrayList<Object>(map.values());
      case "get" ->
          (given, named) ->
              map.containsKey(given.get(0))
                  ? map.get(given.get(0))
                  : given.size() > 1 ? given.get(1) : null;
      default -> null;
    };
  }

  static List<Object> pairs(Map<?, ?> map) {
    List<Object> pairs = new ArrayList<>();
    map.forEach((key, value) -> pairs.add(Arrays.asList(key, value)));
    return pairs;
  }

  private static Callable ofList(List<?> list, String name) {
    return switch (name) {
      case "count" ->
          (given, named) -> list.stream().filter(item -> Values.equal(item, given.get(0))).count();
      case "index" ->
          (given, named) -> {
            for (int i = 0; i < list.size(); i++) {
              if (Values.equal(list.get(i), given.get(0))) {
                return (long) i;
              }
            }
            throw TemplateException.fault(Values.text(given.get(0)) + " is not in the list");
          };
      default -> null;
    };
  }

  private static Callable ofText(String text, String name) {
    return switch (name) {
      case "startswith" -> (given, named) -> any(given.get(0)).stream().anyMatch(text::startsWith);
      case "endswith" -> (given, named) -> any(given.get(0)).stream().anyMatch(text::endsWith);
      case "strip" -> (given, named) -> strip(text, given, true, true);
      case "lstrip" -> (given, named) -> strip(text, given, true, false);
      case "rstrip" -> (given, named) -> strip(text, given, false, true);
      case "upper" -> (given, named) -> text.toUpperCase(Locale.ROOT);
      case "lower" -> (given, named) -> text.toLowerCase(Locale.ROOT);
      case "capitalize" -> (given, named) -> capitalized(text);
      case "title" -> (given, named) -> titled(text);
      case "replace" -> (given, named) -> text.replace(string(given, 0), string(given, 1));
      case "split" -> (given, named) -> split(text, given);
      case "splitlines" -> (given, named) -> new ArrayList<Object>(text.lines().toList());
      case "join" -> (given, named) -> join(text, given.get(0));
      case "find" -> (given, named) -> (long) text.indexOf(string(given, 0));
      case "count" -> (given, named) -> split(text, given).size() - 1L;
      case "isdigit" ->
          (given, named) -> !text.isEmpty() && text.codePoints().allMatch(Character::isDigit);
      case "removeprefix" ->
          (given, named) ->
              text.startsWith(string(given, 0)) ? text.substring(string(given, 0).length()) : text;
      case "removesuffix" ->
          (given, named) ->
              text.endsWith(string(given, 0))
                  ? text.substring(0, text.length() - string(given, 0).length())
                  : text;
      default -> null;
    };
  }

  private static String string(List<Object> given, int index) {
    if (index < given.size() && given.get(index) instanceof String text) {
      return text;
    }
    throw TemplateException.fault("argument " + (index + 1) + " of a method of texts is no text");
  }

  /** One text, or the texts of a tuple. */
  private static List<String> any(Object argument) {
    List<String> texts = new ArrayList<>();
    for (Object one : argument instanceof List<?> several ? several : List.of(argument)) {
      texts.add(string(Arrays.asList(one), 0));
    }
    return texts;
  }

  static String join(String separator, Object items) {
    List<String> texts = new ArrayList<>();
    Values.items(items).forEach(item -> texts.add(Values.text(item)));
    return String.join(separator, texts);
  }

  private static List<Object> split(String text, List<Object> given) {
    if (given.isEmpty() || given.get(0) == null) {
      String stripped = strip(text, List.of(), true, true);
      return stripped.isEmpty()
          ? new ArrayList<>()
          : new ArrayList<>(Arrays.asList(stripped.split("\\s+")));
    }
    String separator = string(given, 0);
    long most = given.size() > 1 ? Values.asLong(given.get(1)) : -1;
    if (separator.isEmpty()) {
      throw TemplateException.fault("a text is split by an empty one");
    }
    List<Object> parts = new ArrayList<>();
    int begin = 0;
    int at = text.indexOf(separator);
    while (at >= 0 && (most < 0 || parts.size() < most)) {
      parts.add(text.substring(begin, at));
      begin = at + separator.length();
      at = text.indexOf(separator, begin);
    }
    parts.add(text.substring(begin));
    return parts;
  }

  static String strip(String text, List<Object> given, boolean left, boolean right) {
    IntPredicate stripped =
        given.isEmpty() || given.get(0) == null
            ? Methods::isSpace
            : point -> string(given, 0).indexOf(point) >= 0;
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

  /** What Python calls white space, the no-break spaces too. */
  private static boolean isSpace(int point) {
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

  static String titled(String text) {
    StringBuilder titled = new StringBuilder(text.length());
    boolean inside = false;
    for (char letter : text.toCharArray()) {
      titled.append(inside ? Character.toLowerCase(letter) : Character.toUpperCase(letter));
      inside = Character.isLetter(letter);
    }
    return titled.toString();
  }
}
