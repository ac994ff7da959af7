// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <QString>
#include <QWidget>

#include <vector>

class QComboBox;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace tamis::views {

class ParameterEditor;

/// A method of the token lab as its views name it.
struct TokenMethod {
    QString id, title, reference;
    bool trains = false; ///< takes long: started by hand
    QString unavailable; ///< why it cannot run now; empty: it can
    ParameterSchema schema;
};

/// The reduction and its parameters as live sliders, and what was asked for by hand.
class TokenSettings : public QWidget {
    Q_OBJECT
public:
    explicit TokenSettings(QWidget* parent = nullptr);

    void setMethods(const std::vector<TokenMethod>& methods);
    void setChoice(const QString& method, const Parameters& parameters); ///< without a signal
    QString method() const;
    void setWishes(int kept, int dropped); ///< patches by hand
    void setTrainReason(const QString& reason); ///< why the method cannot be trained now; empty: it can

signals:
    void methodEdited(const QString& method);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void clearWishesRequested();
    void trainRequested();

private:
    const TokenMethod* chosen() const;
    void showMethod();

    std::vector<TokenMethod> m_methods;
    QString m_schemaOf; ///< method whose schema the editor has
    QComboBox* m_method;
    QLabel *m_reference, *m_wishes;
    ParameterEditor* m_parameters;
    QPushButton *m_clear, *m_train;
};

} // namespace tamis::views
