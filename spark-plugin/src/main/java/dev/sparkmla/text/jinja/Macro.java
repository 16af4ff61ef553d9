package dev.sparkmla.text.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A macro, or the body of a call block, which the called macro can call as {@code caller}.
 *
 * @param parameters the parameters' names with their default values, in order
 * @param scope the scope in which the macro was defined
 */
record Macro(String name, Map<String, Expression> parameters, List<Node> body, Scope scope)
    implements Callable {
  static final String CALLER = "caller";

  @Override
  public Object call(Arguments arguments) {
    List<Object> given = arguments.positions();
    if (given.size() > parameters.size()) {
      throw TemplateException.fault(name + " takes " + parameters.size() + " arguments");
    }
    Map<String, Object> unused = new HashMap<>(arguments.names());
    Scope inner = scope.inner();
    int position = 0;
    for (Map.Entry<String, Expression> parameter : parameters.entrySet()) {
      String key = parameter.getKey();
      if (position < given.size()) {
        inner.set(key, given.get(position));
      } else if (unused.containsKey(key)) {
        inner.set(key, unused.remove(key));
      } else {
        inner.set(key, parameter.getValue().value(inner));
      }
      position++;
    }
    if (unused.containsKey(CALLER)) {
      inner.set(CALLER, unused.remove(CALLER));
    }
    if (!unused.isEmpty()) {
      throw TemplateException.fault(name + " takes no " + unused.keySet());
    }
    return Node.text(body, inner);
  }
}
