package dev.sparkmla.text.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The filters of strings and numbers. */
final class TextFilters {
  private static final Pattern WORD = Pattern.compile("[^-\\s({\\[<]+");

  private TextFilters() {}

  /** Capitalizes words as Jinja2 separates them: a quotation mark does not end a word. */
  static String title(String text) {
    Matcher word = WORD.matcher(text);
    StringBuilder titled = new StringBuilder(text.length());
    int at = 0;
    while (word.find()) {
      titled.append(text, at, word.start()).append(TextMethods.capitalized(word.group()));
      at = word.end();
    }
    return titled.append(text, at, text.length()).toString();
  }

  static Object replace(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(2, "old", "new", "count");
    Budget budget = bound.budget();
    long most = bound.get(2, null) == null ? -1 : bound.integer(2, -1);
    String old = Values.text(bound.get(0), budget);
    String with = Values.text(bound.get(1), budget);
    return TextMethods.replace(Values.text(value, budget), old, with, most, budget);
  }

  static Object indent(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "width", "first", "blank");
    Budget budget = bound.budget();
    String blanks =
        bound.get(0, 4L) instanceof String text
            ? text
            : new Output(budget).repeat(" ", width(bound)).toString();
    boolean blank = bound.flag(2, false);
    Output indented = new Output(budget).append(bound.flag(1, false) ? blanks : "");
    // Jinja2 appends a line break, so that one at the end leaves an empty last line.
    List<Object> lines = TextMethods.lines(Values.text(value, budget) + "\n", false, budget);
    for (int i = 0; i < lines.size(); i++) {
      String line = (String) lines.get(i);
      indented.append(i == 0 ? "" : "\n");
      indented.append(i == 0 || (line.isEmpty() && !blank) ? "" : blanks).append(line);
    }
    return indented.toString();
  }

  /**
   * A width: Jinja2 treats a negative one as 0, but here it is an error, since no template can mean
   * it.
   */
  private static long width(Arguments bound) {
    long width = bound.integer(0, 4);
    if (width < 0) {
      throw TemplateException.fault("indent's width is " + width + "; expected 0 or more");
    }
    return width;
  }

  static Object integer(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "default", "base");
    long base = bound.integer(1, 10);
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (value instanceof Long || value instanceof Boolean) {
      return Values.asLong(value, bound.budget());
    } else if (value instanceof Double number) {
      return whole(number, bound);
    } else if (!(value instanceof String text) || base < Character.MIN_RADIX || base > 36) {
      return bound.get(0, 0L);
    } else {
      try {
        return Long.valueOf(text.strip().replaceAll("(?<=\\d)_(?=\\d)", ""), (int) base);
      } catch (NumberFormatException e) {
        Object number = decimal(text);
        return number == null ? bound.get(0, 0L) : whole((Double) number, bound);
      }
    }
  }

  private static Object whole(double number, Arguments bound) {
    if (Double.isNaN(number) || Double.isInfinite(number)) {
      return bound.get(0, 0L);
    } else if (Math.abs(number) >= 1L << 62) {
      throw TemplateException.fault("an integer grows beyond 64 bits");
    }
    return (long) number;
  }

  static Object floating(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "default");
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    } else if (value instanceof Number || value instanceof Boolean) {
      return value instanceof Double ? value : (double) Values.asLong(value, bound.budget());
    }
    Object number = value instanceof String text ? decimal(text) : null;
    return number == null ? bound.get(0, 0.0) : number;
  }

  /** Python's float(text); null where the text is not a number. */
  private static Double decimal(String text) {
    String stripped = text.strip().toLowerCase(Locale.ROOT);
    if (stripped.matches("[-+]?(inf|infinity|nan)")) {
      double sign = stripped.startsWith("-") ? -1 : 1;
      return stripped.contains("n") && stripped.endsWith("nan")
          ? Double.NaN
          : sign * Double.POSITIVE_INFINITY;
    }
    return stripped.length() < 400
            && stripped.matches("[-+]?(\\d+(\\.\\d*)?|\\.\\d+)(e[-+]?\\d{1,4})?")
        ? Double.valueOf(stripped)
        : null;
  }

  static Object absolute(Object value, Budget budget) {
    boolean negative = Operators.order(value, 0L, budget) < 0;
    return negative ? Operators.negate(value, budget) : Operators.add(value, 0L, budget);
  }

  static Object round(Object value, Arguments arguments) {
    Arguments bound = arguments.bind(0, "precision", "method");
    boolean whole = !(value instanceof Double);
    double number = whole ? Values.asLong(value, bound.budget()) : (Double) value;
    long precision = bound.integer(0, 0);
    if (Math.abs(precision) > 300) {
      throw TemplateException.fault("round takes a precision of at most 300");
    }
    double scale = Math.pow(10, precision);
    Object method = bound.get(1, "common");
    return switch (method instanceof String name ? name : "") {
      case "common" ->
          whole
              ? (Object) Values.asLong(value, bound.budget())
              : (Object) rounded(number, (int) precision);
      case "ceil" -> Math.ceil(number * scale) / scale;
      case "floor" -> Math.floor(number * scale) / scale;
      default -> throw TemplateException.fault("round's method is common, ceil or floor");
    };
  }

  /** Rounds to a number of decimal places, and halves to the even neighbour. */
  private static double rounded(double number, int precision) {
    return Double.isFinite(number)
        ? new BigDecimal(number).setScale(precision, RoundingMode.HALF_EVEN).doubleValue()
        : number;
  }

  /** {@code format|format(values)}, with values by position or by name. */
  static Object format(Object value, Arguments arguments) {
    Map<String, Object> names = arguments.names();
    List<Object> positions = arguments.positions();
    if (!names.isEmpty() && !positions.isEmpty()) {
      throw TemplateException.fault("format takes values by position or by name, not both");
    }
    Budget budget = arguments.budget();
    return Formats.percent(Values.text(value, budget), positions, names, budget);
  }

  /** Escapes a text for HTML. */
  static Object escape(String text, Budget budget) {
    Output escaped = new Output(budget);
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      switch (letter) {
        case '&' -> escaped.append("&amp;");
        case '<' -> escaped.append("&lt;");
        case '>' -> escaped.append("&gt;");
        case '\'' -> escaped.append("&#39;");
        case '"' -> escaped.append("&#34;");
        default -> escaped.append(letter);
      }
    }
    return escaped.toString();
  }

  static Object center(String text, Arguments arguments) {
    long width = arguments.bind(0, "width").integer(0, 80);
    long missing = Math.max(0, width - text.codePointCount(0, text.length()));
    // Python puts the odd blank to the left where the width is odd.
    long left = missing / 2 + (missing & width & 1);
    return new Output(arguments.budget())
        .repeat(" ", left)
        .append(text)
        .repeat(" ", missing - left)
        .toString();
  }

  static Object wordcount(String text) {
    Matcher word = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS).matcher(text);
    long words = 0;
    while (word.find()) {
      words++;
    }
    return words;
  }
}
