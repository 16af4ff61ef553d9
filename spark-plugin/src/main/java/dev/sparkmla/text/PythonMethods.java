package dev.sparkmla.text;

import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.objects.collections.PyList;
import java.beans.FeatureDescriptor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import jinjava.javax.el.CompositeELResolver;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;

/**
 * The methods of Python's strings that chat templates call, where Java's have another name or
 * another meaning ({@code split} takes no regular expression).
 */
final class PythonMethods extends ELResolver {
  private PythonMethods() {}

  /** These before the template engine's own. */
  static ELResolver resolver() {
    CompositeELResolver resolver = new CompositeELResolver();
    resolver.add(new PythonMethods());
    resolver.add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_ONLY);
    return resolver;
  }

  @Override
  public Object invoke(
      ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
    if (!(base instanceof String text)) {
      return null;
    }
    Object[] given = arguments == null ? new Object[0] : arguments;
    Object result = call(text, String.valueOf(method), given);
    context.setPropertyResolved(true);
    return result;
  }

  private static Object call(String text, String method, Object[] given) {
    return switch (method + "/" + given.length) {
      case "startswith/1" -> any(given[0]).stream().anyMatch(text::startsWith);
      case "endswith/1" -> any(given[0]).stream().anyMatch(text::endsWith);
      case "strip/0" -> text.strip();
      case "lstrip/0" -> text.stripLeading();
      case "rstrip/0" -> text.stripTrailing();
      case "strip/1" -> strip(text, given[0].toString(), true, true);
      case "lstrip/1" -> strip(text, given[0].toString(), true, false);
      case "rstrip/1" -> strip(text, given[0].toString(), false, true);
      case "upper/0" -> text.toUpperCase(Locale.ROOT);
      case "lower/0" -> text.toLowerCase(Locale.ROOT);
      case "capitalize/0" -> capitalized(text);
      case "title/0" -> titled(text);
      case "replace/2" -> text.replace(given[0].toString(), given[1].toString());
      case "split/0" -> list(Arrays.asList(text.strip().split("\\s+")));
      case "split/1" -> list(split(text, given[0].toString(), Integer.MAX_VALUE));
      case "split/2" -> list(split(text, given[0].toString(), ((Number) given[1]).intValue()));
      case "find/1" -> (long) text.indexOf(given[0].toString());
      case "count/1" -> (long) split(text, given[0].toString(), Integer.MAX_VALUE).size() - 1;
      case "removeprefix/1" ->
          text.startsWith(given[0].toString())
              ? text.substring(given[0].toString().length())
              : text;
      case "removesuffix/1" ->
          text.endsWith(given[0].toString())
              ? text.substring(0, text.length() - given[0].toString().length())
              : text;
      default ->
          throw new TemplateFunctions.RaisedException(
              "the template calls " + method + " with " + given.length + " arguments on a text");
    };
  }

  /** One text, or the texts of a tuple. */
  private static List<String> any(Object argument) {
    if (argument instanceof Iterable<?> several) {
      List<String> texts = new ArrayList<>();
      several.forEach(one -> texts.add(one.toString()));
      return texts;
    }
    return List.of(argument.toString());
  }

  private static PyList list(List<String> texts) {
    return new PyList(new ArrayList<>(texts));
  }

  private static List<String> split(String text, String separator, int most) {
    if (separator.isEmpty()) {
      throw new TemplateFunctions.RaisedException("the template splits by an empty text");
    }
    List<String> parts = new ArrayList<>();
    int begin = 0;
    for (int at = text.indexOf(separator); at >= 0 && parts.size() < most; ) {
      parts.add(text.substring(begin, at));
      begin = at + separator.length();
      at = text.indexOf(separator, begin);
    }
    parts.add(text.substring(begin));
    return parts;
  }

  private static String strip(String text, String characters, boolean left, boolean right) {
    int begin = 0;
    int end = text.length();
    while (left && begin < end && characters.indexOf(text.charAt(begin)) >= 0) {
      begin++;
    }
    while (right && begin < end && characters.indexOf(text.charAt(end - 1)) >= 0) {
      end--;
    }
    return text.substring(begin, end);
  }

  private static String capitalized(String text) {
    return text.isEmpty()
        ? text
        : text.substring(0, 1).toUpperCase(Locale.ROOT)
            + text.substring(1).toLowerCase(Locale.ROOT);
  }

  private static String titled(String text) {
    StringBuilder titled = new StringBuilder(text.length());
    boolean inside = false;
    for (char letter : text.toCharArray()) {
      titled.append(inside ? Character.toLowerCase(letter) : Character.toUpperCase(letter));
      inside = Character.isLetter(letter);
    }
    return titled.toString();
  }

  @Override
  public Object getValue(ELContext context, Object base, Object property) {
    return null;
  }

  @Override
  public Class<?> getType(ELContext context, Object base, Object property) {
    return null;
  }

  @Override
  public void setValue(ELContext context, Object base, Object property, Object value) {}

  @Override
  public boolean isReadOnly(ELContext context, Object base, Object property) {
    return true;
  }

  @Override
  public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
    return null;
  }

  @Override
  public Class<?> getCommonPropertyType(ELContext context, Object base) {
    return null;
  }
}
