package dev.sparkmla.text.jinja;

import dev.sparkmla.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits a template into tokens, with trim_blocks and lstrip_blocks on: of a statement or a
 * comment, the line break after it is left out, and so are blanks before it at the beginning of a
 * line. Not thread-safe.
 */
final class Lexer {
  private static final Pattern TAG = Pattern.compile("\\{[{%#][-+]?");
  private static final Pattern RAW = Pattern.compile("\\{%([-+]?)\\s*raw\\s*([-+]?)%\\}");
  private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%\\}");
  private static final Pattern INSIDE =
      Pattern.compile(
          "(?<space>\\s+)"
              + "|(?<name>[\\p{L}_][\\p{L}\\p{N}_]*)"
              + "|(?<float>\\d[\\d_]*(?:\\.\\d[\\d_]*(?:[eE][-+]?\\d+)?|[eE][-+]?\\d+))"
              + "|(?<integer>0[xX][\\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\\d[\\d_]*)"
              + "|(?<operator>//|\\*\\*|==|!=|>=|<=|[-+*/%~<>=.:|,()\\[\\]{}])",
          Pattern.DOTALL);

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int counted;
  private int line = 1;

  /** Whether the position is at the beginning of a line. */
  private boolean lineStarts = true;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> tokens(String source) {
    String lines = source.replace("\r\n", "\n").replace('\r', '\n');
    Lexer lexer = new Lexer(lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines);
    lexer.readAll();
    return lexer.tokens;
  }

  private void readAll() {
    Matcher tag = TAG.matcher(source);
    while (tag.find(at)) {
      String opening = tag.group();
      readText(tag.start(), opening);
      Matcher raw = RAW.matcher(source).region(tag.start(), source.length());
      if (opening.charAt(1) == '#') {
        readComment(tag.end());
      } else if (raw.lookingAt()) {
        readRaw(raw);
      } else {
        readTag(opening, tag.end());
      }
    }
    addText(source.substring(at));
    tokens.add(new Token(Kind.END, "", line()));
  }

  /** Reads the text up to a tag, without the white space that the tag removes before it. */
  private void readText(int end, String opening) {
    String text = source.substring(at, end);
    if (opening.endsWith("-")) {
      text = text.stripTrailing();
    } else if (!opening.endsWith("+") && opening.charAt(1) != '{') {
      int line = text.lastIndexOf('\n') + 1;
      if ((line > 0 || lineStarts) && text.substring(line).isBlank()) {
        text = text.substring(0, line);
      }
    }
    addText(text);
    at = end;
  }

  private void addText(String text) {
    if (!text.isEmpty()) {
      tokens.add(new Token(Kind.TEXT, text, line()));
    }
  }

  private void readComment(int begin) {
    int end = source.indexOf("#}", begin);
    if (end < 0) {
      throw fault("a comment does not end");
    }
    char sign = end > begin ? source.charAt(end - 1) : ' ';
    at = end + 2;
    skipAfter(sign, true);
  }

  private void readRaw(Matcher raw) {
    at = raw.end();
    skipAfter(raw.group(2).isEmpty() ? ' ' : raw.group(2).charAt(0), false);
    Matcher end = END_RAW.matcher(source);
    if (!end.find(at)) {
      throw fault("raw does not end");
    }
    readText(end.start(), "{%" + end.group(1));
    at = end.end();
    skipAfter(end.group(2).isEmpty() ? ' ' : end.group(2).charAt(0), true);
  }

  /** Skips the white space that a tag removes after it. */
  private void skipAfter(char sign, boolean trimLine) {
    int begin = at;
    if (sign == '-') {
      while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
        at++;
      }
    } else if (sign != '+' && trimLine && source.startsWith("\n", at)) {
      at++;
    }
    lineStarts = at > begin && source.charAt(at - 1) == '\n';
  }

  private void readTag(String opening, int begin) {
    boolean print = opening.charAt(1) == '{';
    String closing = print ? "}}" : "%}";
    tokens.add(new Token(print ? Kind.PRINT : Kind.STATEMENT, opening, line()));
    at = begin;
    Matcher inside = INSIDE.matcher(source);
    int depth = 0;
    while (true) {
      char sign = at < source.length() ? source.charAt(at) : ' ';
      boolean signed = sign == '-' || sign == '+' && !print;
      if (depth == 0 && source.startsWith(closing, signed ? at + 1 : at)) {
        tokens.add(new Token(Kind.CLOSE, closing, line()));
        at += signed ? 3 : 2;
        skipAfter(signed ? sign : ' ', !print);
        return;
      }
      if (sign == '\'' || sign == '"') {
        readString(sign);
        continue;
      }
      if (!inside.region(at, source.length()).lookingAt()) {
        throw fault(
            at >= source.length()
                ? "a tag does not end"
                : "unexpected character " + source.charAt(at));
      }
      depth += depth(inside.group());
      readInside(inside);
      at = inside.end();
    }
  }

  private void readString(char quote) {
    int end = at + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw fault("a string does not end");
    }
    tokens.add(new Token(Kind.STRING, unescaped(source.substring(at + 1, end)), line()));
    at = end + 1;
  }

  private static int depth(String operator) {
    return switch (operator) {
      case "(", "[", "{" -> 1;
      case ")", "]", "}" -> -1;
      default -> 0;
    };
  }

  private void readInside(Matcher inside) {
    if (inside.group("name") != null) {
      tokens.add(new Token(Kind.NAME, inside.group(), line()));
    } else if (inside.group("float") != null) {
      tokens.add(new Token(Kind.FLOAT, inside.group().replace("_", ""), line()));
    } else if (inside.group("integer") != null) {
      tokens.add(new Token(Kind.INTEGER, inside.group().replace("_", ""), line()));
    } else if (inside.group("operator") != null) {
      tokens.add(new Token(Kind.OPERATOR, inside.group(), line()));
    }
  }

  private String unescaped(String text) {
    StringBuilder result = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      if (letter != '\\') {
        result.append(letter);
        continue;
      }
      letter = text.charAt(++i);
      int digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
      if (digits > 0) {
        result.appendCodePoint(hexadecimal(text, i + 1, digits));
        i += digits;
        continue;
      }
      switch (letter) {
        case '\n' -> {}
        case 'n' -> result.append('\n');
        case 't' -> result.append('\t');
        case 'r' -> result.append('\r');
        case 'b' -> result.append('\b');
        case 'f' -> result.append('\f');
        case 'a' -> result.append('\u0007');
        case 'v' -> result.append('\u000b');
        case '0', '1', '2', '3', '4', '5', '6', '7' -> {
          int end = i + 1;
          while (end < Math.min(i + 3, text.length()) && isOctal(text.charAt(end))) {
            end++;
          }
          result.append((char) Integer.parseInt(text.substring(i, end), 8));
          i = end - 1;
        }
        case '\\', '\'', '"' -> result.append(letter);
        default -> result.append('\\').append(letter);
      }
    }
    return result.toString();
  }

  private static boolean isOctal(char letter) {
    return letter >= '0' && letter <= '7';
  }

  private int hexadecimal(String text, int begin, int digits) {
    try {
      int point = Integer.parseInt(text.substring(begin, begin + digits), 16);
      if (Character.isValidCodePoint(point)) {
        return point;
      }
    } catch (NumberFormatException | StringIndexOutOfBoundsException e) {
      // The error below says the same in the template's terms.
    }
    throw fault("a string holds a broken escape: " + text);
  }

  private int line() {
    for (; counted < at; counted++) {
      line += source.charAt(counted) == '\n' ? 1 : 0;
    }
    return line;
  }

  private TemplateException fault(String problem) {
    return TemplateException.fault("line " + line() + ": " + problem);
  }
}
