// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/parameter_schema.h"

#include <QString>
#include <QWidget>

#include <cstdint>
#include <vector>

class QComboBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QVBoxLayout;

namespace tamis::views {

class ParameterEditor;
class ReaderSwitches;
class TokenSourceBox;

/// A method of the encoder lab as its views name it.
struct EncoderMethod {
    QString id, title, reference;
    bool trains = false;  ///< takes minutes: started by hand
    QString unavailable;  ///< why it cannot run now; empty: it can
    ParameterSchema schema;
};

/// What the lab works on and with: the autoencoder, its tokens, the method and its parameters.
class EncoderSettings : public QWidget {
    Q_OBJECT
public:
    explicit EncoderSettings(QWidget* parent = nullptr);

    void setMethods(const std::vector<EncoderMethod>& methods);
    void setChoice(const QString& method, const Parameters& parameters); ///< without a signal
    /// What is open, in words; empty: nothing. `k` of the autoencoder or chosen; 0: none is open.
    void setSources(const QString& autoencoder, std::int64_t k, std::int64_t mostK);
    TokenSourceBox* tokens() const { return m_tokens; }
    ReaderSwitches* switches() const { return m_switches; }
    void setTrainReason(const QString& reason); ///< why the method cannot be trained now; empty: it can
    QString method() const;

signals:
    void methodEdited(const QString& method);
    void parameterEdited(const QString& name, const tamis::ParameterValue& value, bool finished);
    void kEdited(qlonglong k);
    void autoencoderRequested();
    void trainRequested();

private:
    void buildSources(QVBoxLayout* column);
    void buildMethod(QVBoxLayout* column);
    QLabel* source(QVBoxLayout* column, const QString& title, const QString& name, const QString& help, QPushButton*& choose);
    const EncoderMethod* chosen() const;
    void showMethod();

    std::vector<EncoderMethod> m_methods;
    QString m_schemaOf; ///< method whose schema the editor has
    QLabel *m_autoencoder, *m_reference;
    TokenSourceBox* m_tokens;
    ReaderSwitches* m_switches;
    QPushButton *m_openAutoencoder, *m_train;
    QSpinBox* m_k;
    QComboBox* m_method;
    ParameterEditor* m_parameters;
};

} // namespace tamis::views
