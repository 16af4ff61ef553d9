package dev.sparkmla.text.jinja;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;

/** Python's repr() and the text of numbers. */
final class Repr {
  private final Output output;
  private final Budget budget;

  private Repr(Budget budget) {
    this.output = new Output(budget);
    this.budget = budget;
  }

  static String of(Object value, Budget budget) {
    Repr repr = new Repr(budget);
    repr.write(value);
    return repr.output.toString();
  }

  private void write(Object value) {
    budget.enter();
    if (value == null) {
      output.append("None");
    } else if (value instanceof Boolean truth) {
      output.append(truth ? "True" : "False");
    } else if (value instanceof Double number) {
      output.append(number(number));
    } else if (value instanceof Number) {
      output.append(value.toString());
    } else if (value instanceof String text) {
      writeQuoted(text);
    } else if (value instanceof List<?> list) {
      writeList(list);
    } else if (value instanceof Map<?, ?> map) {
      writeMap(map);
    } else if (value instanceof Undefined) {
      output.append("Undefined");
    } else if (value instanceof Namespace namespace) {
      output.append("<Namespace ");
      writeMap(namespace.values());
      output.append('>');
    } else {
      throw TemplateException.fault("a function or loop cannot be printed");
    }
    budget.leave();
  }

  private void writeList(List<?> list) {
    boolean tuple = list instanceof Tuple;
    output.append(tuple ? '(' : '[');
    String separator = "";
    for (Object item : list) {
      output.append(separator);
      write(item);
      separator = ", ";
    }
    output.append(tuple && list.size() == 1 ? ",)" : tuple ? ")" : "]");
  }

  private void writeMap(Map<?, ?> map) {
    output.append('{');
    String separator = "";
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      output.append(separator);
      write(entry.getKey());
      output.append(": ");
      write(entry.getValue());
      separator = ", ";
    }
    output.append('}');
  }

  private void writeQuoted(String text) {
    char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
    output.append(quote);
    for (int at = 0; at < text.length(); at += Character.charCount(text.codePointAt(at))) {
      int point = text.codePointAt(at);
      switch (point) {
        case '\\' -> output.append("\\\\");
        case '\n' -> output.append("\\n");
        case '\r' -> output.append("\\r");
        case '\t' -> output.append("\\t");
        default -> {
          if (point == quote) {
            output.append('\\').append(quote);
          } else if (isPrintable(point)) {
            output.append(Character.toString(point));
          } else {
            String form = point < 0x100 ? "\\x%02x" : point < 0x10000 ? "\\u%04x" : "\\U%08x";
            output.append(String.format(form, point));
          }
        }
      }
    }
    output.append(quote);
  }

  /** Whether Python's repr() shows a code point without escaping it. */
  private static boolean isPrintable(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> point == ' ';
      default -> true;
    };
  }

  /**
   * A float as Python prints it: with the shortest digits, and with an exponent if that is below -4
   * or at least 16.
   */
  static String number(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
    } else if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    int exponent = decimal.precision() - decimal.scale() - 1;
    if (exponent >= -4 && exponent < 16) {
      return decimal.scale() > 0 ? decimal.toPlainString() : decimal.toPlainString() + ".0";
    }
    String digits = decimal.unscaledValue().abs().toString();
    return (value < 0 ? "-" : "")
        + digits.charAt(0)
        + (digits.length() > 1 ? "." + digits.substring(1) : "")
        + (exponent < 0 ? "e-" : "e+")
        + (Math.abs(exponent) < 10 ? "0" : "")
        + Math.abs(exponent);
  }
}
