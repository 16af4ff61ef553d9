package dev.sparkmla.text.jinja;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's two ways to format values: the operator % and the method format. */
final class Formats {
  private static final Pattern CONVERSION =
      Pattern.compile("%(?:\\((\\w+)\\))?([-+ 0#]*)(\\d{0,4})(?:\\.(\\d{0,3}))?([a-zA-Z%])");
  private static final Pattern FIELD = Pattern.compile("\\{\\{|\\}\\}|\\{(\\w*)\\}|[{}]");

  private Formats() {}

  /** {@code format % values}, with the conversions s, r, d, i, u, x, o, f, F, e, E and %%. */
  static String percent(String format, List<?> values, Map<?, ?> named, Budget budget) {
    Output output = new Output(budget);
    Matcher conversion = CONVERSION.matcher(format);
    int at = 0;
    int next = 0;
    while (true) {
      int sign = format.indexOf('%', at);
      if (sign < 0) {
        break;
      }
      output.append(format, at, sign);
      if (!conversion.region(sign, format.length()).lookingAt()) {
        throw TemplateException.fault("a format holds a broken conversion");
      }
      at = conversion.end();
      if (conversion.group(5).equals("%")) {
        output.append('%');
        continue;
      }
      Object value;
      if (conversion.group(1) != null) {
        value = named.containsKey(conversion.group(1)) ? named.get(conversion.group(1)) : absent();
      } else {
        value = next < values.size() ? values.get(next++) : absent();
      }
      output.append(converted(conversion, value, budget));
    }
    boolean single = values.size() == 1 && values.get(0) instanceof List;
    if (next < values.size() && named.isEmpty() && !single) {
      throw TemplateException.fault("a format has fewer conversions than values");
    }
    return output.append(format, at, format.length()).toString();
  }

  private static Object absent() {
    throw TemplateException.fault("a format has no value for a conversion");
  }

  private static String converted(Matcher conversion, Object value, Budget budget) {
    String flags = conversion.group(2);
    String precision = conversion.group(4);
    char kind = conversion.group(5).charAt(0);
    String text =
        switch (kind) {
          case 's' -> cut(Values.text(value, budget), precision);
          case 'r' -> cut(Repr.of(value, budget), precision);
          case 'd', 'i', 'u' ->
              Long.toString(
                  value instanceof Double number
                      ? number.longValue()
                      : Values.asLong(value, budget));
          case 'x' -> Long.toHexString(Values.asLong(value, budget));
          case 'X' -> Long.toHexString(Values.asLong(value, budget)).toUpperCase(Locale.ROOT);
          case 'o' -> Long.toOctalString(Values.asLong(value, budget));
          case 'f', 'F', 'e', 'E' ->
              String.format(
                  Locale.ROOT,
                  "%."
                      + (precision == null || precision.isEmpty() ? "6" : precision)
                      + kindOf(kind),
                  number(value, budget));
          default -> throw TemplateException.fault("a format holds the conversion %" + kind);
        };
    if (kind != 's' && kind != 'r' && !text.startsWith("-")) {
      text = (flags.contains("+") ? "+" : flags.contains(" ") ? " " : "") + text;
    }
    int missing =
        (conversion.group(3).isEmpty() ? 0 : Integer.parseInt(conversion.group(3)))
            - text.codePointCount(0, text.length());
    if (missing <= 0) {
      return text;
    } else if (flags.contains("-")) {
      return text + " ".repeat(missing);
    } else if (flags.contains("0") && kind != 's' && kind != 'r') {
      int signs = text.startsWith("-") || text.startsWith("+") || text.startsWith(" ") ? 1 : 0;
      return text.substring(0, signs) + "0".repeat(missing) + text.substring(signs);
    }
    return " ".repeat(missing) + text;
  }

  private static char kindOf(char kind) {
    return kind == 'F' ? 'f' : kind;
  }

  private static String cut(String text, String precision) {
    int most =
        precision == null || precision.isEmpty() ? text.length() : Integer.parseInt(precision);
    return text.codePointCount(0, text.length()) <= most
        ? text
        : text.substring(0, text.offsetByCodePoints(0, most));
  }

  private static double number(Object value, Budget budget) {
    return value instanceof Double number ? number : Values.asLong(value, budget);
  }

  /**
   * {@code format.format(...)}, with replacement fields that are empty, a number or a name, without
   * format specifications.
   */
  static String fields(String format, Arguments arguments) {
    Output output = new Output(arguments.budget());
    Matcher field = FIELD.matcher(format);
    int at = 0;
    int next = 0;
    while (field.find()) {
      output.append(format, at, field.start());
      at = field.end();
      String name = field.group(1);
      if (name == null) {
        if (field.group().length() == 1) {
          throw TemplateException.fault("a format holds a field that is not a number or a name");
        }
        output.append(field.group().charAt(0));
        continue;
      }
      Object value;
      if (name.isEmpty() || name.chars().allMatch(Character::isDigit)) {
        long index = name.isEmpty() ? next++ : name.length() > 4 ? 9999 : Long.parseLong(name);
        value =
            index < arguments.positions().size()
                ? arguments.positions().get((int) index)
                : absent();
      } else {
        value = arguments.names().containsKey(name) ? arguments.names().get(name) : absent();
      }
      output.append(Values.text(value, arguments.budget()));
    }
    return output.append(format, at, format.length()).toString();
  }
}
